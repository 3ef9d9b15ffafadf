import { existsSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../../operations/lib/project-root';

test('the project is where cdktf.json is', () => {
  expect(existsSync(path.join(projectRoot, 'cdktf.json'))).toBe(true);
});
