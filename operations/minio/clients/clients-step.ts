import { accessKeyProblems } from './access-keys';
import { UsageError } from '../../lib/errors';
import type { LoadedEnvironment } from '../../state/load';
import type { Step } from '../../lib/step';

/** A file of a client that is not whole is named before anything is changed. */
export function clientsStep({ environment: { clients }, state }: LoadedEnvironment): Step {
  return {
    title: 'Access keys of clients',
    run: async () => {
      const problems = accessKeyProblems(state.secret.clients);
      if (problems.length > 0) {
        throw new UsageError(
          problems.join('\n  '),
          'put the file back from a backup, or remove it: the next deploy then makes another key; nothing was changed',
        );
      }
      return Promise.resolve(clients.length === 0 ? 'none is declared' : `${clients.length} declared`);
    },
  };
}
