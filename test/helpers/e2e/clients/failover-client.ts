import type { S3Client } from '@aws-sdk/client-s3';

/** A request that is not answered for so long is given up, and sent to the next host. */
const GIVE_UP_MS = 2000;

/**
 * A client that knows the addresses of several hosts, as one with a list of endpoints: after a failure it goes on with the
 * next. It sends nothing again by itself.
 */
export function failoverClient(clients: readonly S3Client[]): Pick<S3Client, 'send'> {
  let current = 0;
  const send = async (command: Parameters<S3Client['send']>[0]): Promise<unknown> => {
    const mine = current;
    const client = clients[mine];
    if (client === undefined) throw new Error('there are no clients');
    try {
      return await client.send(command, { abortSignal: AbortSignal.timeout(GIVE_UP_MS) });
    } catch (error) {
      // of several requests that fail at once only the first moves on
      if (current === mine) current = (mine + 1) % clients.length;
      throw error;
    }
  };
  return { send: send as S3Client['send'] };
}
