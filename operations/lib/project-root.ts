import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const NAME = 'encrypted-backup-storage';

function folderOfProject(folder: string): string {
  const manifest = path.join(folder, 'package.json');
  // an app that has the package installed has a package.json, too, further up
  if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string }).name === NAME)
    return folder;
  const above = path.dirname(folder);
  if (above === folder) throw new Error(`no folder above ${__dirname} has the package.json of ${NAME}`);
  return folderOfProject(above);
}

/** The folder of the project, or of the installed package. A program runs from a bundle, which is somewhere below it. */
export const projectRoot = folderOfProject(__dirname);

/** What node is told to start a program of the project by: an installed package brings it built. */
export function ownProgram(name: string): string[] {
  const built = path.join(projectRoot, `${name}.mjs`);
  return existsSync(built) ? [built] : [path.join(projectRoot, 'scripts', 'lib', 'run.cjs'), `${name}.ts`];
}
