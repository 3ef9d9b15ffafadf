import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../operations/lib/project-root';
import { useTemporaryFolder } from '../helpers/temporary-folder';

const folder = useTemporaryFolder();

/** An operation that needs nothing but a folder. */
function createRootCredentials(journal: string, rootFile: string): number | null {
  const input = { configEnvFile: path.join(folder(), 'config.env'), rootFile };
  const { status } = spawnSync(path.join(projectRoot, 'operations', 'run'), ['create-root-credentials'], {
    env: { ...process.env, EBS_OPERATION_JOURNAL: journal, EBS_OPERATION_INPUT: JSON.stringify(input) },
  });
  return status;
}

test('a run leaves a mark until it has succeeded, and counts one that another left', () => {
  const journal = path.join(folder(), 'operations', 'demo.Root');
  const blocked = path.join(folder(), 'a file');
  writeFileSync(blocked, '');

  expect(createRootCredentials(journal, path.join(blocked, 'root.json'))).not.toBe(0);
  expect(existsSync(`${journal}.running`)).toBe(true);
  expect(existsSync(journal)).toBe(false);

  expect(createRootCredentials(journal, path.join(folder(), 'root.json'))).toBe(0);
  expect(existsSync(`${journal}.running`)).toBe(false);
  expect(readFileSync(journal, 'utf8')).toBe('1\n');

  // nothing was left, so nothing is counted
  expect(createRootCredentials(journal, path.join(folder(), 'root.json'))).toBe(0);
  expect(readFileSync(journal, 'utf8')).toBe('1\n');
});
