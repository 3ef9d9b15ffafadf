/**
 * Creates master keys, each once in its life, and proves by their canaries that those that exist are the same as ever.
 *
 * | canary  | key in KES | data        | other keys of this environment | what happens                                     |
 * |---------|------------|-------------|--------------------------------|--------------------------------------------------|
 * | known   | opens it   | any         | any                            | proven                                           |
 * | known   | missing    | any         | any                            | REFUSE: the key was lost                         |
 * | known   | another    | any         | any                            | REFUSE: the key was replaced                     |
 * | unknown | there      | any         | any                            | adopted: it gets a canary                        |
 * | unknown | missing    | none        | any                            | created                                          |
 * | unknown | missing    | exists      | one is proven                  | created: a new key of a living deployment        |
 * | unknown | missing    | exists      | none is proven                 | REFUSE: the data is encrypted under what is lost |
 */
import type Docker from 'dockerode';
import type { OperationInput } from '../../config/operation-inputs';
import { makeCanary, openCanary } from './canaries';
import { type Canaries, type Canary, readCanaries, writeCanaries } from '../state/notes/canaries';
import { drivesText } from '../../config/node';
import { dockerEngine, volumeExists } from '../docker/docker';
import { MINIO_FORMAT_FILE, readMountedFile } from '../docker/mounted-files';
import { writeDrivesNote } from '../state/notes/drives-note';
import { ExternalError } from '../lib/errors';
import { KesClient } from '../kes/kes-client';
import { requireProvenKeys } from './verify-master-keys';

type Input = OperationInput<'create-master-keys'>;

/** @param dataExists whether there is a drive with data; for tests */
export async function createMasterKeys(input: Input, dataExists = () => holdData(input)): Promise<void> {
  // first, because canaries without this note are those of a deployment with one volume
  if (input.drives !== undefined) writeDrivesNote(input.drives.note, input.drives.of);
  const creator = new KesClient(input.creator);
  const prover = new KesClient(input.prover);
  let canaries = readCanaries(input.canariesFile);
  let someProven = (await requireProvenKeys(prover, input.prover.url, canaries)).length > 0;
  for (const key of input.keys.filter((name) => canaries[name] === undefined)) {
    const adopted = await makeCanary(prover, key, 'adopted');
    if (adopted !== undefined) {
      process.stderr.write(`adopted master key ${key}, which exists already\n`);
      canaries = { ...canaries, [key]: adopted };
    } else {
      if (!someProven && (await dataExists())) throw orphanedData(input, key);
      canaries = { ...canaries, [key]: await create(creator, prover, key) };
      process.stderr.write(`created master key ${key}; no backup holds it yet: ./scripts/backup\n`);
    }
    // after each, so that an interruption leaves no key without a canary
    writeCanaries(input.canariesFile, attributed(canaries, input));
    someProven = true;
  }
  writeCanaries(input.canariesFile, attributed(canaries, input));
  creator.close();
  prover.close();
}

type DataDrive = NonNullable<Input['drives']>['of'][number];

const drivesOf = ({ dataVolume, drives }: Input): readonly DataDrive[] =>
  drives?.of ?? (dataVolume === undefined ? [] : [{ kind: 'volume', source: dataVolume }]);

/** A volume is made for data; a folder is there before, and holds some only when MinIO has formatted it. */
async function holdData(input: Input): Promise<boolean> {
  for (const docker of input.engines?.map(dockerEngine) ?? [dockerEngine()]) {
    if (await holdsData(docker, input)) return true;
  }
  return false;
}

async function holdsData(docker: Docker, input: Input): Promise<boolean> {
  for (const { kind, source, adopted } of drivesOf(input)) {
    if (adopted === true) continue;
    const found =
      kind === 'volume'
        ? await volumeExists(docker, source)
        : (await readMountedFile(docker, { folder: source }, MINIO_FORMAT_FILE)) !== undefined;
    if (found) return true;
  }
  return false;
}

/**
 * Says of each declared key whose it is, for the time when it is no longer declared. That nothing is under it, an
 * inventory found before it was declared again.
 */
function attributed(canaries: Canaries, { keys, clients }: Input): Canaries {
  return Object.fromEntries(
    Object.entries(canaries).map(([key, canary]) => {
      if (!keys.includes(key)) return [key, canary];
      const { client: _before, withdrawnAt: _declaredAgain, ...rest } = canary;
      const client = clients[key];
      return [key, client === undefined ? rest : { ...rest, client }];
    }),
  );
}

function orphanedData(input: Input, key: string): ExternalError {
  const { dataVolume } = input;
  const drives = drivesText(drivesOf(input));
  const [what, remove] =
    dataVolume === undefined
      ? [`the ${drives} of MinIO with data do`, `empty the ${drives} by hand`]
      : [`the data volume ${dataVolume} does`, `remove the volume by hand: docker volume rm ${dataVolume}`];
  return new ExternalError(
    `master key ${key} does not exist, but ${what}: its objects are encrypted under a lost key, and a new key would make the loss final`,
    `restore the key store and ${input.canariesFile}, or, if the data is worthless, ${remove}`,
  );
}

async function create(creator: KesClient, prover: KesClient, key: string): Promise<Canary> {
  await creator.create(key);
  const canary = await makeCanary(prover, key, 'created');
  if (canary === undefined) throw new ExternalError(`KES created master key ${key}, but does not find it`);
  const verdict = await openCanary(prover, key, canary);
  if (verdict !== 'opens') throw new ExternalError(`master key ${key} does not open what it just sealed: ${verdict}`);
  return canary;
}
