import { clientFile } from '../../../config/state/layout';
import { s3Endpoint } from '../../../config/state/endpoints';
import { ExternalError, UsageError } from '../../lib/errors';
import { HttpClient } from '../../lib/net/http';
import type { LoadedEnvironment } from '../../state/load';
import { type Phase, Rotation } from '../../state/rotation';
import type { AskedRotation, RotationContext } from '../../state/rotation-context';
import { RawS3 } from '../objects/raw-s3';
import {
  type AccessKey,
  type AccessKeys,
  hasEnded,
  inDays,
  newAccessKey,
  readAccessKeys,
  writeAccessKeys,
} from './access-keys';
import { clientInput } from './client-input';
import { provisionClients } from './provision-clients';

/**
 * @param name NAME of the command line
 * @param options what `--finish` and `--days` say
 */
export function askClientRotation(
  loaded: LoadedEnvironment,
  name: string | undefined,
  { finish, days: given }: { readonly finish: boolean; readonly days: string | undefined },
): AskedRotation {
  if (name === undefined) throw new UsageError('NAME: must be given, got nothing', 'See ./scripts/rotate --help.');
  const days = given === undefined ? undefined : Number(given);
  if (days !== undefined && !(Number.isInteger(days) && days >= 1 && days <= 365)) {
    throw new UsageError(`--days: must be a whole number from 1 to 365, got: ${given ?? ''}`);
  }
  if (finish && days !== undefined) throw new UsageError('--days: must not be given with --finish');
  // a rotation that is under way has changed what is asked for here
  if (Rotation.unfinished(loaded.state) === undefined) requireRotatable(loaded, name, finish);
  if (finish) return { what: `client ${name} --finish`, phases: (context) => finishClient(context, name) };
  const { argument } = loaded;
  const then =
    days === undefined
      ? `then: ./scripts/rotate client ${name} ${argument} --finish`
      : `the old one ends after ${days} ${days === 1 ? 'day' : 'days'}, or by --finish`;
  return {
    what: `client ${name}${days === undefined ? '' : ` --days ${days}`}`,
    phases: (context) => rotateClient(context, name, days),
    ended: `Client ${name} has a second access key. Give it to the client (./scripts/client show ${name} ${argument} --for PROGRAM), ${then}`,
  };
}

/** @throws UsageError for a client that is not declared, has no key yet, or is in another state than asked for */
export function requireRotatable(loaded: LoadedEnvironment, name: string, finish: boolean): void {
  const { clients } = loaded.environment;
  if (!clients.some((client) => client.name === name)) {
    const known = clients.map((client) => client.name).join(', ');
    throw new UsageError(`NAME: must be a declared client (${known === '' ? 'there are none' : known}), got: ${name}`);
  }
  const kept = keysOf(loaded, name).previous;
  const previous = kept !== undefined && hasEnded(kept) ? undefined : kept;
  if (finish && previous === undefined) {
    throw new UsageError(
      `client ${name} has one access key: there is no old one to end`,
      `begin with: ./scripts/rotate client ${name} ${loaded.argument}`,
    );
  }
  if (!finish && previous !== undefined) {
    throw new UsageError(
      `client ${name} has two access keys already: ${previous.accessKey} is the old one`,
      `end it first: ./scripts/rotate client ${name} ${loaded.argument} --finish`,
    );
  }
}

/**
 * Another access key for a client, beside the old one.
 *
 * @param days after which the old one ends by itself. Default: it goes on until `--finish`
 */
export function rotateClient({ loaded, rotation }: RotationContext, name: string, days: number | undefined): Phase[] {
  const file = clientFile(loaded.state.secret.clients, name);
  return [
    {
      id: 'make',
      title: 'New access key',
      run: async () => {
        const { current } = keysOf(loaded, name);
        // noted first: a third key would take the place of the old one, which the client still has
        const replaced = rotation.remembered('replaced') ?? current.accessKey;
        rotation.remember('replaced', replaced);
        if (current.accessKey === replaced) writeAccessKeys(file, successorOf(loaded, name, current, days));
        return Promise.resolve(keysOf(loaded, name).current.accessKey);
      },
    },
    {
      id: 'deliver',
      title: 'Tell MinIO of it',
      run: async () => {
        await provisionClients(clientInput(loaded));
        return undefined;
      },
    },
    {
      id: 'prove',
      title: 'MinIO lets in both',
      run: async () => {
        const { current, previous } = keysOf(loaded, name);
        for (const key of [current, ...(previous === undefined ? [] : [previous])]) {
          await requireLetIn(loaded, name, key);
        }
        return previous?.expires === undefined ? undefined : `the old one ends on ${previous.expires}`;
      },
    },
  ];
}

/** Ends the old access key of a client. */
export function finishClient({ loaded, rotation }: RotationContext, name: string): Phase[] {
  const file = clientFile(loaded.state.secret.clients, name);
  return [
    {
      id: 'prove',
      title: 'MinIO lets in the new access key',
      run: async () => {
        const { current, previous } = keysOf(loaded, name);
        await requireLetIn(loaded, name, current);
        rotation.remember('old', previous?.accessKey ?? '');
        return current.accessKey;
      },
    },
    {
      id: 'end',
      title: 'End the old one',
      run: async () => {
        writeAccessKeys(file, { current: keysOf(loaded, name).current });
        await provisionClients(clientInput(loaded));
        return rotation.remembered('old');
      },
    },
  ];
}

function successorOf(
  { environment }: LoadedEnvironment,
  name: string,
  current: AccessKey,
  days: number | undefined,
): AccessKeys {
  const expireDays = environment.clients.find((client) => client.name === name)?.expireDays;
  const end = days === undefined ? undefined : inDays(days);
  const expires = [current.expires, end].filter((time) => time !== undefined).sort()[0];
  return { current: newAccessKey(expireDays), previous: { ...current, ...(expires === undefined ? {} : { expires }) } };
}

function keysOf({ state, argument }: LoadedEnvironment, name: string): AccessKeys {
  const keys = readAccessKeys(clientFile(state.secret.clients, name));
  if (keys !== undefined) return keys;
  throw new UsageError(`client ${name} has no access key yet`, `deploy it with: ./scripts/up ${argument}`);
}

async function requireLetIn(
  { environment, state, argument }: LoadedEnvironment,
  name: string,
  credentials: AccessKey,
): Promise<void> {
  const endpoint = s3Endpoint(environment, state);
  const http = new HttpClient(endpoint);
  const bucket = environment.clients.find((client) => client.name === name)?.access[0]?.bucket ?? '';
  try {
    const raw = new RawS3({ http, url: endpoint.url, credentials, region: environment.minio.region });
    const { status } = await raw.send({ method: 'GET', path: `/${bucket}`, query: { location: '' } });
    if (status === 200) return;
    throw new ExternalError(
      `MinIO answers access key ${credentials.accessKey} of client ${name} with HTTP ${status}`,
      `./scripts/client mend ${argument} sets back what was changed by hand`,
    );
  } finally {
    http.close();
  }
}
