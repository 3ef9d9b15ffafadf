import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../../operations/lib/project-root';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const at = (...parts: string[]) => path.join(folder(), ...parts);
const launcher = () => at('scripts', 'lib', 'run.cjs');

/** A project of two modules, with the packages of this one. */
beforeEach(() => {
  mkdirSync(at('scripts', 'lib'), { recursive: true });
  mkdirSync(at('operations'));
  mkdirSync(at('elsewhere'));
  for (const file of ['run.cjs', 'bundle.cjs']) {
    cpSync(path.join(projectRoot, 'scripts', 'lib', file), at('scripts', 'lib', file));
  }
  symlinkSync(path.join(projectRoot, 'node_modules'), at('node_modules'));
  writeFileSync(
    at('scripts', 'greet.ts'),
    `import { greeting } from '../operations/greeting';
     console.log(greeting(process.argv.slice(2)));
     process.exitCode = 3;`,
  );
  greetBy('Hello');
});

function greetBy(word: string): void {
  const source = `export const greeting = (names: string[]): string => '${word} ' + names.join(' and ');`;
  writeFileSync(at('operations', 'greeting.ts'), source);
}

function greet(...names: string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [launcher(), 'scripts/greet.ts', ...names], {
    encoding: 'utf8',
  });
  return { stdout, stderr, status };
}

const bundles = () => readdirSync(at('.toolchain', 'bundles'));

/** Of the day before yesterday. */
function age(name: string): void {
  const then = new Date(Date.now() - 48 * 60 * 60 * 1000);
  utimesSync(at('.toolchain', 'bundles', name), then, then);
}

test('a program gets its arguments, and ends as it wants to', () => {
  expect(greet('one', 'an other')).toEqual({ stdout: 'Hello one and an other\n', stderr: '', status: 3 });
});

test('sources that did not change are bundled once, and a change is in force at once', () => {
  greet();
  greet();
  expect(bundles()).toHaveLength(1);
  greetBy('Good day');
  expect(greet('you').stdout).toBe('Good day you\n');
});

test('many that start at once make one bundle, and do not stumble over what another removes', async () => {
  for (const name of ['a', 'b', 'c', 'd']) {
    mkdirSync(at('.toolchain', 'bundles', name), { recursive: true });
    age(name);
  }
  const ended = Array.from({ length: 4 }, async () => {
    const child = spawn(process.execPath, [launcher(), 'scripts/greet.ts'], { stdio: 'ignore' });
    const [code] = (await once(child, 'close')) as [number];
    return code;
  });
  expect(await Promise.all(ended)).toEqual([3, 3, 3, 3]);
  expect(bundles()).toHaveLength(1);
});

test('a bundle that was started within a day stays, whenever it was made; another goes', () => {
  // GIVEN two of the day before yesterday, one of which is started again
  greet();
  const [started = ''] = bundles();
  greetBy('Good day');
  greet();
  const unused = bundles().find((name) => name !== started) ?? '';
  age(started);
  age(unused);
  greetBy('Hello');
  greet();

  // WHEN
  greetBy('Good night');
  greet();

  // THEN
  expect(bundles()).toHaveLength(2);
  expect(bundles()).toContain(started);
  expect(bundles()).not.toContain(unused);
});

test('a trace names the line as it was written', () => {
  writeFileSync(
    at('operations', 'greeting.ts'),
    `\nexport function greeting(): never {\n  throw new Error('a bug');\n}\n`,
  );
  expect(greet().stderr).toMatch(/Error: a bug\n\s+at greeting \(.*operations\/greeting\.ts:3:9\)/);
});

test('a source of which a change would not be seen is refused', () => {
  writeFileSync(at('elsewhere', 'word.ts'), `export const word = 'Hello';`);
  writeFileSync(at('operations', 'greeting.ts'), `export { word as greeting } from '../elsewhere/word';`);
  const { stderr, status } = greet();
  expect(status).toBe(1);
  expect(stderr).toContain(
    'scripts/lib/run.cjs does not know that programs are made of elsewhere/word.ts: see SOURCES',
  );
  expect(bundles()).toEqual([]);
});

test('a program that is not there is named', () => {
  const { stderr, status } = spawnSync(process.execPath, [launcher(), 'scripts/none.ts'], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain('scripts/none.mjs');
});
