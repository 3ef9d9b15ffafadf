/** What is asked of the Docker engine of each host, or done there. */
import type Docker from 'dockerode';
import type { Node } from '../../../config/node';
import { ExternalError, messageOf, UsageError } from '../../lib/errors';
import { dockerEngine } from '../docker';

type Outcome<T> = { readonly result: T } | Failure;

interface Failure {
  readonly host: string | undefined;
  readonly error: unknown;
}

type OnNode<T> = (node: Node, docker: Docker) => Promise<T>;

/**
 * Does the same on every node, side by side.
 *
 * @returns what came of it, in the order of the nodes
 * @throws what failed; with several hosts, everything that failed, each with its host
 */
export async function onEachNode<T>(nodes: readonly Node[], act: OnNode<T>): Promise<T[]> {
  const outcomes = await Promise.all(
    nodes.map(async (node): Promise<Outcome<T>> => {
      try {
        return { result: await act(node, dockerEngine(node.docker)) };
      } catch (error) {
        return { host: node.host?.name, error };
      }
    }),
  );
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome] : []));
  const [first] = failed;
  if (first !== undefined) throw first.host === undefined ? first.error : together(failed);
  return outcomes.flatMap((outcome) => ('error' in outcome ? [] : [outcome.result]));
}

/** Whatever was not foreseen stays what it is. */
function together(failed: readonly Failure[]): unknown {
  const unforeseen = failed.find(({ error }) => !(error instanceof UsageError || error instanceof ExternalError));
  if (unforeseen !== undefined) return unforeseen.error;
  const message = failed.map(({ host, error }) => `host ${host ?? ''}: ${messageOf(error)}`).join('\n');
  const hints = new Set(failed.flatMap(({ error }) => (error as ExternalError).hint ?? []));
  const hint = hints.size === 0 ? undefined : [...hints].join('\n      ');
  const Kind = failed.every(({ error }) => error instanceof UsageError) ? UsageError : ExternalError;
  return new Kind(message, hint);
}
