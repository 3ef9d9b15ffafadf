/** What cdktf runs Terraform in. */
import { createRequire } from 'node:module';
import { projectRoot } from '../../../operations/lib/project-root';
import path from 'node:path';

interface PseudoTerminals {
  spawn(
    file: string,
    words: string[],
    options: object,
  ): {
    onData(listener: (text: string) => void): unknown;
    onExit(listener: (end: { exitCode: number }) => void): unknown;
  };
}

const ofCdktf = createRequire(path.join(projectRoot, 'node_modules', 'cdktf-cli', 'bundle', 'bin', 'cdktf.js'));

test('cdktf gets one that has binaries for this version of Node', () => {
  const name = '@cdktf/node-pty-prebuilt-multiarch';
  expect(ofCdktf.resolve(name)).toBe(path.join(projectRoot, 'toolchain', 'pseudo-terminal', 'index.cjs'));
});

test('a program in it has a terminal, and its exit code comes back', async () => {
  const terminals = ofCdktf('@cdktf/node-pty-prebuilt-multiarch') as PseudoTerminals;
  const program = terminals.spawn('/bin/sh', ['-c', 'test -t 0 && test -t 1 && echo terminal; exit 3'], {});
  let said = '';
  program.onData((text) => (said += text));
  const exitCode = await new Promise((resolve) => {
    program.onExit((end) => {
      resolve(end.exitCode);
    });
  });
  expect({ said: said.trim(), exitCode }).toEqual({ said: 'terminal', exitCode: 3 });
});
