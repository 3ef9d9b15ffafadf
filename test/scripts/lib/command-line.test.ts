import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { projectRoot } from '../../../operations/lib/project-root';
import { UsageError } from '../../../operations/lib/errors';
import { parseCommandLine } from '../../../scripts/lib/command-line';
import { thrownBy } from '../../helpers/thrown';

const OPTIONS = { verbose: { type: 'boolean' }, 'delete-data': { type: 'boolean' } } as const;

test.each([
  [['--verbos'], 'there is no option --verbos. Did you mean --verbose?'],
  [['--delete-date'], 'there is no option --delete-date. Did you mean --delete-data?'],
  [['--enviroment', 'home'], 'there is no option --enviroment: an environment is given by its name or path alone'],
  [['--environment=home'], 'there is no option --environment: an environment is given by its name or path alone'],
  [['-x'], 'there is no option -x'],
  [['a', 'b'], 'one environment at most, got: a b'],
])('%j is refused', (args, message) => {
  const error = thrownBy(() => parseCommandLine('up', args, OPTIONS));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(message);
  expect(error).toHaveProperty('hint', 'See ./scripts/up --help.');
});

test('a command of which nobody reads the output goes on to its end', async () => {
  const program = path.join(projectRoot, 'scripts', 'lib', 'run.cjs');
  const child = spawn(process.execPath, [program, 'scripts/check.ts', '--list'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit') as Promise<[number]>]);
  expect(said).toBe('');
  expect(code).toBe(0);
}, 120_000);
