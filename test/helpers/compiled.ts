import { buildSync } from 'esbuild';
import path from 'node:path';
import { projectRoot } from '../../operations/lib/project-root';

/** Compiles a module of the project to CommonJS, for a process of its own. @returns `file`, which `require` takes */
export function compiled(module: string, file: string): string {
  buildSync({
    entryPoints: [path.join(projectRoot, module)],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
  });
  return file;
}
