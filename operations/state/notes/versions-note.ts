/**
 * Which version a state folder has, and what was deployed last.
 *
 * | version in the note | what happens                                       |
 * | ------------------- | -------------------------------------------------- |
 * | no note             | read: the folder is older than the note            |
 * | up to ours          | read                                               |
 * | newer               | REFUSE: another version of this project knows it   |
 */
import { z } from 'zod';
import type { StateLayout } from '../../../config/state/layout';
import { UsageError } from '../../lib/errors';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import { parsedJson } from '../../lib/text/json';

/** Raised when a program that reads the state folder, or any note in it, would have to change. */
export const STATE_VERSION = 1;

const program = z.object({ image: z.string(), version: z.string() });

const note = z.object({
  version: z.literal(STATE_VERSION),
  /** Of this project. */
  project: z.string(),
  /** Of the Terraform providers. */
  providers: z.object({ docker: z.string(), vault: z.string() }),
  /** Image and version of each program. */
  programs: z.partialRecord(z.enum(['vault', 'openbao', 'kes', 'minio', 'haproxy']), program),
});
/** What was deployed last. */
export type DeployedVersions = Omit<z.infer<typeof note>, 'version'>;

type Place = Pick<StateLayout, 'versions' | 'root'>;

/** @throws UsageError for a state folder that a newer version of this project wrote */
export function requireReadableState({ versions: file, root }: Place): void {
  const text = readIfExists(file);
  if (text === undefined) return;
  const said = z.object({ version: z.int(), project: z.string() }).safeParse(parsedJson(text));
  if (!said.success) {
    throw new UsageError(
      `${file} does not say which version the state folder has`,
      'put it back from a copy; where no newer version of this project was used, remove it: ./scripts/up writes it again',
    );
  }
  const { version, project } = said.data;
  if (version <= STATE_VERSION) return;
  throw new UsageError(
    `the state folder ${root} has version ${version}, written by version ${project} of this project; this one reads versions up to ${STATE_VERSION}`,
    `use version ${project} of this project, or a newer one; nothing was changed`,
  );
}

/** What was deployed last; undefined before the first deploy, and where only older versions deployed. */
export function readDeployedVersions(state: Place): DeployedVersions | undefined {
  requireReadableState(state);
  const text = readIfExists(state.versions);
  return text === undefined ? undefined : note.parse(JSON.parse(text));
}

export function noteDeployedVersions({ versions: file }: Pick<Place, 'versions'>, deployed: DeployedVersions): void {
  const { project, providers, programs } = deployed;
  const content: z.infer<typeof note> = { version: STATE_VERSION, project, providers, programs };
  writeFileAtomically(file, `${JSON.stringify(content, null, 2)}\n`, 0o644);
}
