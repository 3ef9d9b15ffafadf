/** What is in each image that is built here, as one CycloneDX document for each. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { cacheLayout, type WorkOptions } from '../toolchain/cache';
import { buildProgram } from '../toolchain/go/go-build';
import { caBundle, type ImageRecipe, imageRecipes } from '../toolchain/images/image-contexts';
import { findBusybox, missingBusybox } from '../toolchain/prerequisites';
import { UsageError } from '../lib/errors';
import { cyclonedx } from './scan';

/** The parts of a CycloneDX document that are put together here; the rest goes through as it is. */
const bom = z.looseObject({
  metadata: z.looseObject({ component: z.looseObject({ 'bom-ref': z.string() }) }),
  components: z.array(z.looseObject({ 'bom-ref': z.string() })).default([]),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.array(z.string()).optional() })).default([]),
});
type Bom = z.infer<typeof bom>;

/** A CycloneDX 1.6 document for one image: its programs with every Go module in them, its shell and its CA bundle. */
export interface ImageBom {
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.6';
  readonly version: 1;
  readonly metadata: {
    readonly component: { readonly 'bom-ref': string; readonly type: 'container'; readonly name: string };
  };
  readonly components: readonly unknown[];
  readonly dependencies: readonly unknown[];
}

/** @throws UsageError where there is no static busybox, which is in every image */
export async function imageBoms(options: WorkOptions = {}): Promise<Record<ImageRecipe['name'], ImageBom>> {
  const busybox = findBusybox();
  if (busybox === undefined) throw new UsageError(`${missingBusybox.what} is missing`, missingBusybox.elsewhere);
  const cache = cacheLayout();
  const tool = await buildProgram(cache, cyclonedx, options);
  const shared = [file('busybox', await readFile(busybox)), file('ca-certificates', Buffer.from(caBundle()))];
  const entries = await Promise.all(
    imageRecipes.map(async (recipe) => {
      const programs: Bom[] = [];
      for (const program of recipe.programs) {
        const binary = await buildProgram(cache, program, options);
        // reads what the compiler wrote into the binary, so it is the list of what is shipped, not of what was asked for
        const { stdout } = await promisify(execFile)(tool, ['bin', '-json', '-noserial', '-notimestamp', binary], {
          maxBuffer: 1e8,
        });
        programs.push(bom.parse(JSON.parse(stdout)));
      }
      return [recipe.name, imageBom(recipe.name, programs, shared)] as const;
    }),
  );
  return Object.fromEntries(entries) as Record<ImageRecipe['name'], ImageBom>;
}

interface FileComponent {
  readonly 'bom-ref': string;
  readonly type: 'file';
  readonly name: string;
  readonly hashes: readonly { readonly alg: 'SHA-256'; readonly content: string }[];
}

function file(name: string, content: Buffer): FileComponent {
  const hash = createHash('sha256').update(content).digest('hex');
  return { 'bom-ref': `file:${name}`, type: 'file', name, hashes: [{ alg: 'SHA-256', content: hash }] };
}

/** Puts the documents of an image's programs together; a module that two of them have is listed once. */
export function imageBom(name: string, programs: readonly Bom[], shared: readonly FileComponent[]): ImageBom {
  const image = `image:${name}`;
  const components = new Map<string, unknown>();
  const dependencies = new Map<string, Set<string>>();
  const depend = (ref: string, on: readonly string[]): void => {
    const known = dependencies.get(ref) ?? new Set<string>();
    for (const other of on) known.add(other);
    dependencies.set(ref, known);
  };
  for (const { metadata, components: modules, dependencies: edges } of programs) {
    components.set(metadata.component['bom-ref'], metadata.component);
    depend(image, [metadata.component['bom-ref']]);
    for (const module of modules) components.set(module['bom-ref'], module);
    for (const { ref, dependsOn } of edges) depend(ref, dependsOn ?? []);
  }
  for (const component of shared) {
    components.set(component['bom-ref'], component);
    depend(image, [component['bom-ref']]);
  }
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { 'bom-ref': image, type: 'container', name: `encrypted-backup-storage/${name}` } },
    components: [...components.values()],
    dependencies: [...dependencies].map(([ref, on]) => ({ ref, ...(on.size > 0 ? { dependsOn: [...on] } : {}) })),
  };
}
