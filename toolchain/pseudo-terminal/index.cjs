/**
 * In the place of the package that cdktf asks for, whose binaries end with Node 22. It is archived with cdktf. Binaries of
 * `@lydell/node-pty` work with each version of Node (Node-API), and there are none for musl and 32-bit ARM.
 */
'use strict';

module.exports = load();

function load() {
  try {
    return require('@lydell/node-pty');
  } catch {
    return require('node-pty-of-cdktf');
  }
}
