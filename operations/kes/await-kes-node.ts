import type { OperationInput } from '../../config/operation-inputs';
import { NotYet, waitFor } from '../lib/wait';
import { KesClient } from './kes-client';

/** The gate behind each KES of several: the deploy goes on to the next one when this one answers and reaches its key store. */
export async function awaitKesNode({ host, endpoint }: OperationInput<'await-kes-node'>): Promise<void> {
  const kes = new KesClient(endpoint);
  try {
    await waitFor(
      {
        what: `KES on host ${host} to answer and to reach its key store`,
        timeoutMs: 90_000,
        hint: `\`docker logs\` of KES on host ${host} says why`,
      },
      async () => ((await kes.ready()) ? true : new NotYet('it does not reach its key store')),
    );
  } finally {
    kes.close();
  }
}
