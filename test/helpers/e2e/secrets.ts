/** Collects every secret of a deployment and searches everything that is not meant to hold one. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { StateLayout } from '../../../config/state/layout';
import { filesInZip } from '../../../operations/lib/zip';
import { readAccessKeys } from '../../../operations/minio/clients/access-keys';
import { readCredentials } from '../../../operations/minio/s3-client';
import type { TestEnvironment } from './test-environment';

/** A value that must be nowhere but in its file. */
export interface Secret {
  readonly name: string;
  readonly value: string;
}

/** A text in which no secret may be. */
export interface Haystack {
  readonly name: string;
  readonly content: Buffer;
}

export interface Finding {
  readonly secret: string;
  readonly where: string;
  /** As what it was found: as it is, base64 … */
  readonly spelling: string;
}

const kesFile = z.object({
  keystore: z.object({ vault: z.object({ approle: z.object({ secret: z.string() }) }) }),
});

/** Shorter values would be found by chance. */
const SHORTEST_SECRET = 16;

/**
 * Every secret of an environment's secrets folder.
 *
 * @throws Error for a file that nobody has said how to read, so that a new kind of secret is not forgotten
 */
export function collectSecrets(state: StateLayout): Secret[] {
  const secrets = filesBelow(state.secrets).flatMap((file): Secret[] => {
    const name = path.relative(state.secrets, file);
    const text = readFileSync(file, 'utf8').trim();
    if (file === state.secret.deployment) return [];
    if (name.endsWith('.key')) return pemSecrets(name, text);
    if (file === state.secret.kesConfiguration) {
      return [{ name: 'SecretID of KES', value: kesFile.parse(parse(text)).keystore.vault.approle.secret }];
    }
    const { minioRoot, minioOperations, minioIam, minioObjects, minioMetricsUser } = state.secret;
    if ([minioRoot, minioOperations, minioIam, minioObjects, minioMetricsUser].includes(file)) {
      const { accessKey, secretKey } = readCredentials(file);
      return [{ name: `secret key of ${accessKey}`, value: secretKey.reveal() }];
    }
    if (file === state.secret.minioConfigEnv) {
      const password = /^MINIO_ROOT_PASSWORD=(.*)$/m.exec(text)?.[1] ?? '';
      return [{ name: 'root password', value: password }];
    }
    if (file === state.secret.iamExport) {
      return [...filesInZip(readFileSync(file))].flatMap(([entry, content]) =>
        [
          ...content()
            .toString('utf8')
            .matchAll(/"secretKey":"([^"]+)"/g),
        ].map(([, value = '']) => ({
          name: `secret key in ${entry}`,
          value,
        })),
      );
    }
    // one line, most of which is the key
    if (file === state.secret.backupSigningKey || file === state.secret.evidenceSigningKey) {
      return [{ name, value: text.split('\n')[1] ?? '' }];
    }
    if (path.dirname(file) === state.secret.clients) {
      const { current, previous } = readAccessKeys(file) ?? {};
      const keys = [current, previous].filter((key) => key !== undefined);
      return keys.map(({ accessKey, secretKey }) => ({
        name: `secret key of ${accessKey}`,
        value: secretKey.reveal(),
      }));
    }
    if ([state.secret.minioMetricsToken, state.secret.vaultMetricsToken].includes(file)) return [{ name, value: text }];
    if (path.dirname(file) === path.dirname(state.secret.provisionerToken)) return [{ name, value: text }];
    throw new Error(`${file}: a secret of which the tests do not know what it looks like`);
  });
  for (const { name, value } of secrets) {
    if (value.length < SHORTEST_SECRET) throw new Error(`${name} is too short to be searched for`);
  }
  return secrets;
}

/**
 * The lines of a private key's body, each by itself: line breaks are written in many ways. Not the last one, which in an
 * EC key holds nothing but the public half.
 */
function pemSecrets(name: string, pem: string): Secret[] {
  return pem
    .split('\n')
    .filter((line) => !line.startsWith('-----'))
    .slice(0, -1)
    .map((value, index) => ({ name: `${name}, line ${index + 1}`, value }));
}

/** Every spelling in which a secret is looked for. */
function spellings({ value }: Secret): Record<string, Buffer> {
  const bytes = Buffer.from(value);
  const base64 = [0, 1, 2].map((offset) => {
    // at any position inside something longer: without the characters that depend on what is beside it
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    return text.slice(Math.ceil((offset * 8) / 6), -1);
  });
  return {
    'as it is': bytes,
    ...Object.fromEntries(base64.map((text, offset) => [`base64, offset ${offset}`, Buffer.from(text)])),
    hex: Buffer.from(bytes.toString('hex')),
    'URL encoding': Buffer.from(encodeURIComponent(value)),
  };
}

export function searchFor(secrets: readonly Secret[], haystacks: Iterable<Haystack>): Finding[] {
  const needles = secrets.flatMap((secret) =>
    Object.entries(spellings(secret)).map(([spelling, bytes]) => ({ secret: secret.name, spelling, bytes })),
  );
  const findings: Finding[] = [];
  for (const { name, content } of haystacks) {
    for (const { secret, spelling, bytes } of needles) {
      if (content.includes(bytes)) findings.push({ secret, where: name, spelling });
    }
  }
  return findings;
}

/**
 * Every file of the environment's test folder except its secrets and what the backup clients wrote: state, plans,
 * synthesized stacks, logs, reports, transcripts.
 */
export function fileHaystacks(environment: TestEnvironment): Haystack[] {
  const leftOut = [environment.state.secrets, environment.clientFolder];
  const enter = (folder: string): boolean => !leftOut.includes(folder) && path.basename(folder) !== 'providers';
  return filesBelow(environment.folder, enter).map((file) => ({ name: file, content: readFileSync(file) }));
}

/** What Docker tells everybody who may ask it: inspect, logs, history of images. */
export async function dockerHaystacks({ docker, owner }: TestEnvironment): Promise<Haystack[]> {
  const filters = { label: [`${owner.name}=${owner.value}`] };
  const haystacks: Haystack[] = [];
  const add = (name: string, content: unknown): void => {
    haystacks.push({ name, content: Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content)) });
  };
  const images = new Set<string>();
  for (const { Id, Names, ImageID } of await docker.listContainers({ all: true, filters })) {
    const container = docker.getContainer(Id);
    const name = Names[0] ?? Id;
    add(`docker inspect ${name}`, await container.inspect());
    add(`docker logs ${name}`, await container.logs({ stdout: true, stderr: true, follow: false }));
    images.add(ImageID);
  }
  for (const id of images) {
    add(`docker image inspect ${id}`, await docker.getImage(id).inspect());
    add(`docker history ${id}`, await docker.getImage(id).history());
  }
  const { Volumes } = await docker.listVolumes({ filters: JSON.stringify(filters) });
  for (const volume of Volumes) add(`docker volume inspect ${volume.Name}`, volume);
  for (const network of await docker.listNetworks({ filters })) {
    add(`docker network inspect ${network.Name}`, await docker.getNetwork(network.Id).inspect());
  }
  return haystacks;
}

/** Arguments and environments of the processes that a test started, and of those in the containers of the deployment. */
export function processHaystacks(roots: readonly number[]): Haystack[] {
  return processesBelow(roots).flatMap((pid) => {
    try {
      return [
        { name: `arguments of process ${pid}`, content: readFileSync(`/proc/${pid}/cmdline`) },
        { name: `environment of process ${pid}`, content: readFileSync(`/proc/${pid}/environ`) },
      ];
    } catch {
      // it has ended
      return [];
    }
  });
}

/** Looks at the processes below one again and again while something runs. */
export class ProcessWatch {
  private readonly seen = new Map<string, Haystack>();
  private readonly secretFiles: readonly string[];
  private readonly caught = new Map<string, Secret>();
  private timer: NodeJS.Timeout | undefined;

  /** @param secretFiles files that exist only for a moment; what was in them is a secret, too */
  constructor(secretFiles: readonly string[]) {
    this.secretFiles = secretFiles;
  }

  start(pid: number): void {
    this.timer = setInterval(() => {
      this.look(pid);
    }, 100);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  get haystacks(): Haystack[] {
    return [...this.seen.values()];
  }

  get secrets(): Secret[] {
    return [...this.caught.values()];
  }

  private look(pid: number): void {
    for (const haystack of processHaystacks([pid])) {
      this.seen.set(haystack.content.toString('latin1'), haystack);
    }
    for (const file of this.secretFiles) {
      try {
        const value = readFileSync(file, 'utf8').trim();
        if (value.length >= SHORTEST_SECRET) this.caught.set(value, { name: path.basename(file), value });
      } catch {
        // not there at the moment
      }
    }
  }
}

/** Host process ids of the running containers. */
export async function containerProcesses({ docker, owner }: TestEnvironment): Promise<number[]> {
  const containers = await docker.listContainers({ filters: { label: [`${owner.name}=${owner.value}`] } });
  const states = await Promise.all(containers.map(async ({ Id }) => (await docker.getContainer(Id).inspect()).State));
  return states.map(({ Pid }) => Pid);
}

function processesBelow(roots: readonly number[]): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const parent = /^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1];
      if (parent !== undefined) parents.set(Number(name), Number(parent));
    } catch {
      // it has ended
    }
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid);
    return roots.includes(pid) || (parent !== undefined && parent !== pid && isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow);
}

/** Files and folders below a folder whose permission bits are not what they must be. */
export function wrongModes(folder: string): string[] {
  const wrong: string[] = [];
  const look = (entry: string): void => {
    const status = statSync(entry);
    const mode = status.mode & 0o777;
    if (mode !== (status.isDirectory() ? 0o700 : 0o600)) wrong.push(`${entry}: ${mode.toString(8)}`);
    if (status.isDirectory())
      readdirSync(entry).forEach((name) => {
        look(path.join(entry, name));
      });
  };
  look(folder);
  return wrong;
}

function filesBelow(folder: string, enter: (folder: string) => boolean = () => true): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return enter(file) ? filesBelow(file, enter) : [];
    return entry.isFile() ? [file] : [];
  });
}
