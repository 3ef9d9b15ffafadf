import type { ClientSettings } from '../../../config/environment';
import { clientFile } from '../../../config/state/layout';
import type { LoadedEnvironment } from '../../state/load';
import { readAccessKeys } from './access-keys';

/** What a client may do, and with which access key. Nothing of it is secret. */
export interface ClientDescription {
  readonly name: string;
  readonly access: readonly { readonly bucket: string; readonly prefix?: string; readonly may: string }[];
  /** Null: a deploy has not made one yet. */
  readonly accessKey: string | null;
  /** Null: it does not end. */
  readonly expires: string | null;
  /** The one before, which still works. */
  readonly previousAccessKey: string | null;
}

export function describeClient(
  { state }: Pick<LoadedEnvironment, 'state'>,
  { name, access }: ClientSettings,
): ClientDescription {
  const keys = readAccessKeys(clientFile(state.secret.clients, name));
  return {
    name,
    access: access.map(({ bucket, prefix, may }) => ({ bucket, ...(prefix === undefined ? {} : { prefix }), may })),
    accessKey: keys?.current.accessKey ?? null,
    expires: keys?.current.expires ?? null,
    previousAccessKey: keys?.previous?.accessKey ?? null,
  };
}
