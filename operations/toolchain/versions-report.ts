/** What runs, what is shipped, and whether it can still be had. */
import type { Program } from '../../config/docker/image-source';
import { pinEngines } from '../../config/docker/docker-engine';
import { nodesOf } from '../../config/node';
import { type RunningImages, runningImages } from '../docker/running-images';
import { messageOf } from '../lib/errors';
import type { LoadedEnvironment } from '../state/load';
import { readDeployedVersions } from '../state/notes/versions-note';
import { rows } from '../vulnerabilities/answers';
import { readFindings, SHIPPED } from '../vulnerabilities/findings';
import { type Availability, availabilityOf } from './availability';
import { readToolchain } from './findings';
import { findTerraform } from './prerequisites';
import { versionOf } from './version-changes';
import { deployedPrograms, projectVersion, versionsOf } from './versions';

export interface VersionsReport {
  readonly environment: string;
  readonly project: { readonly deployed: string | null; readonly shipped: string };
  /** By their containers: image and, where a deploy noted it, version. Null: Docker does not answer. */
  readonly running: Readonly<Partial<Record<Program, readonly { image: string; version: string | null }[]>>> | null;
  /** Why nothing is known of what runs. */
  readonly problem?: string;
  readonly shipped: Readonly<Record<string, string>>;
  readonly providers: { readonly docker: string; readonly vault: string; readonly source: string };
  readonly vulnerabilities: {
    readonly database: string;
    readonly programs: Readonly<Record<string, { known: number; affected: number }>>;
  };
  readonly sources: readonly Availability[];
}

export async function versionsReport(loaded: LoadedEnvironment, signal: AbortSignal): Promise<VersionsReport> {
  const { environment, state } = loaded;
  const toolchain = readToolchain();
  const noted = readDeployedVersions(state);
  const flavour = findTerraform()?.flavour ?? 'tofu';
  const [running, sources] = await Promise.all([
    imagesOf(loaded),
    availabilityOf(environment, toolchain, flavour, signal),
  ]);
  const table = rows();
  return {
    environment: environment.name,
    project: { deployed: noted?.project ?? null, shipped: projectVersion() },
    ...(typeof running === 'string'
      ? { running: null, problem: running }
      : {
          running: Object.fromEntries(
            deployedPrograms(environment).map((program) => [
              program,
              (running[program] ?? []).map((image) => ({
                image,
                version: versionOf(image, noted?.programs[program]) ?? null,
              })),
            ]),
          ),
        }),
    shipped: versionsOf(environment),
    providers: toolchain.providers,
    vulnerabilities: {
      database: readFindings().database,
      programs: Object.fromEntries(
        SHIPPED.map(({ name }) => {
          const own = table.filter(({ program }) => program === name);
          const affected = own.filter(({ answer }) => answer.status === 'affected').length;
          return [name, { known: own.length, affected }];
        }),
      ),
    },
    sources,
  };
}

/** @returns why they are not known */
async function imagesOf({ environment }: LoadedEnvironment): Promise<RunningImages | string> {
  try {
    pinEngines(environment);
    return await runningImages(nodesOf(environment));
  } catch (error) {
    return messageOf(error);
  }
}
