/**
 * Which drives MinIO has. An edited environment file must not give it others: MinIO never changes their number or order,
 * and Terraform would take the volumes of before for superfluous; what it no longer declares, `prevent_destroy` does not
 * protect.
 *
 * | deployed   | declared                       | what happens                                                     |
 * |------------|--------------------------------|------------------------------------------------------------------|
 * | none       | any                            | the first deploy                                                 |
 * | N volumes  | N volumes                      | nothing                                                          |
 * | N volumes  | N folders                      | Terraform forgets the volumes, which stay; the preflight asks    |
 * |            |                                | whether the folders hold their data                              |
 * | N folders  | N folders                      | the preflight asks whether each is the drive that it was         |
 * | N folders  | N volumes                      | REFUSE: the objects are in the folders                           |
 * | N          | another number                 | REFUSE                                                           |
 */
import { existsSync, rmSync } from 'node:fs';
import { z } from 'zod';
import type { Environment } from '../../../config/environment';
import { drivesText, minioNode, nodeId, nodesOf } from '../../../config/node';
import { UsageError } from '../../lib/errors';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import type { StateLayout } from '../../../config/state/layout';

const drive = z.strictObject({ kind: z.enum(['volume', 'folder']), source: z.string() });
const note = z.strictObject({
  version: z.literal(1),
  drives: z.array(drive).min(1),
  /** MinIO's id of the data on them. Absent: no deploy has come to its end yet. */
  deployment: z.string().optional(),
  /** How many pools were deployed. Absent: one. */
  pools: z.number().optional(),
});
type Note = z.infer<typeof note>;
export type NotedDrive = z.infer<typeof drive>;

/** Where the way is described that exists. */
const WAYS = 'docs/drives.md shows how objects move to other drives';

export function writeDrivesNote(file: string, drives: readonly NotedDrive[]): void {
  const noted = drives.map(({ kind, source }) => ({ kind, source }));
  write(file, { ...readNote({ drives: file }), version: 1, drives: noted });
}

/** Notes by which id MinIO knows its data, and how many pools it has, where other drives than one volume are noted. */
export function noteDeployment(state: Pick<StateLayout, 'drives'>, deployment: string, pools: number): void {
  const noted = readNote(state);
  if (noted === undefined || (noted.deployment === deployment && (noted.pools ?? 1) === pools)) return;
  write(state.drives, { ...noted, deployment, ...(pools === 1 ? {} : { pools }) });
}

/** How many pools hold data, once any does. */
export function notedPools(state: Pick<StateLayout, 'drives'>): number {
  return readNote(state)?.pools ?? 1;
}

/** MinIO's id of the data on the noted drives; undefined where none is known. */
export function notedDeployment(state: Pick<StateLayout, 'drives'>): string | undefined {
  return readNote(state)?.deployment;
}

function readNote({ drives: file }: Pick<StateLayout, 'drives'>): Note | undefined {
  const text = readIfExists(file);
  return text === undefined ? undefined : note.parse(JSON.parse(text));
}

function write(file: string, noted: Note): void {
  writeFileAtomically(file, `${JSON.stringify(noted)}\n`, 0o644);
}

/** Notes the declared drives of a deployment that is made anew, unless they are one volume. */
export function noteDrives(environment: Environment, { drives: file }: Pick<StateLayout, 'drives'>): void {
  const { drives } = nodesOf(environment)[0].minio;
  if (drives.length > 1 || drives[0].kind === 'folder') writeDrivesNote(file, drives);
  else rmSync(file, { force: true });
}

/** The drives that were deployed; undefined before the first deploy. */
export function deployedDrives(
  { name }: Pick<Environment, 'name'>,
  state: Pick<StateLayout, 'drives' | 'canaries'>,
): readonly NotedDrive[] | undefined {
  const noted = readNote(state);
  if (noted !== undefined) return noted.drives;
  // a deployment with one volume leaves no note, as those did that are older than it
  if (!existsSync(state.canaries)) return undefined;
  return minioNode(nodeId(name)).drives;
}

/** @throws UsageError for drives that MinIO cannot change to */
export function requireSameDrives(environment: Environment, state: StateLayout): void {
  const deployed = deployedDrives(environment, state);
  if (deployed === undefined) return;
  const [{ minio }] = nodesOf(environment);
  const was = `minio.drives: environment ${environment.name} has its objects on the ${drivesText(deployed)}`;
  const got = `got: ${drivesText(minio.drives)}`;
  if (deployed.length !== minio.drives.length) {
    throw new UsageError(
      `${was}, and MinIO cannot change the number of its drives, ${got}`,
      `put the old setting back; ${WAYS}. Nothing was changed`,
    );
  }
  if (deployed[0]?.kind === 'folder' && minio.drives[0].kind === 'volume') {
    throw new UsageError(
      `${was}, and new volumes would be empty, ${got}`,
      `put the old setting back; ${WAYS}. Nothing was changed`,
    );
  }
}
