/**
 * Jest gives each test file its own global objects and loads every module anew for it: for cdktf, zod and the AWS SDK that
 * takes longer than the tests themselves. Here a worker loads each library once, outside of the files; modules of the
 * project are still loaded anew. What both sides create and look at has to be the same on both.
 */
const { createRequire } = require('node:module');
const { types } = require('node:util');
const { TestEnvironment } = require('jest-environment-node');

module.exports = class UnitEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    // in the name of the library: for a file outside of node_modules Node warns of ES modules
    this.global.requireOnce = (file) => {
      const library = createRequire(file)(file);
      const [cdktf] = /^.*\/node_modules\/cdktf\//.exec(file) ?? [];
      if (cdktf !== undefined) forgetWhereTokensWereMade(cdktf);
      return library;
    };
    for (const name of ['Date', 'Map', 'Set']) this.global[name] = globalThis[name];
    // a file has a copy of the variables, and may replace it
    this.variables = process.env;
    Object.defineProperty(process, 'env', {
      get: () => this.global.process.env,
      configurable: true,
      enumerable: true,
    });
    recogniseErrors(this.global.Error);
    recogniseErrors(Error);
  }

  async teardown() {
    Object.defineProperty(process, 'env', {
      value: this.variables,
      configurable: true,
      enumerable: true,
      writable: true,
    });
    await super.teardown();
  }
};

/**
 * Each token of cdktf keeps the stack at which it was made, of which jest maps every line to its source: a sixth of the time
 * of all tests of stacks, for a hint in an error that no test has.
 */
function forgetWhereTokensWereMade(cdktf) {
  require(`${cdktf}lib/tokens/private/stack-trace.js`).captureStackTrace = () => [];
}

/** An error of a library is an instance of the `Error` of a file, too, and the other way round. */
function recogniseErrors(Error) {
  const ordinary = Function.prototype[Symbol.hasInstance];
  Object.defineProperty(Error, Symbol.hasInstance, {
    configurable: true,
    value(one) {
      // subclasses inherit this function
      return (this === Error && types.isNativeError(one)) || ordinary.call(this, one);
    },
  });
}
