import { existsSync } from 'node:fs';
import path from 'node:path';

function folderOfProject(folder: string): string {
  if (existsSync(path.join(folder, 'cdktf.json'))) return folder;
  const above = path.dirname(folder);
  if (above === folder) throw new Error(`no folder above ${__dirname} has a cdktf.json`);
  return folderOfProject(above);
}

/** The project's folder: where `cdktf.json` is. A program runs from a bundle, which is somewhere below it. */
export const projectRoot = folderOfProject(__dirname);
