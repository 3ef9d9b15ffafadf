/** An S3 client that knows no retries, and what it is told while something is broken. */
import type { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { NotYet, waitFor } from '../../../../operations/lib/wait';
import { getObject, type Mode, type ObjectSet, putObject } from './object-set';

interface Attempt {
  readonly startedAt: number;
  readonly endedAt: number;
  /** What the client was told; absent if both requests succeeded. */
  readonly failure?: string;
}

const INTERVAL_MS = 250;
/** A client that waits longer has given up. */
const PATIENCE_MS = 8_000;
/** What a person would call slow. */
const SLOW_MS = 1_000;
/** So many PUTs with their GETs must succeed, one after another, before it is called well again: longer than keys are cached. */
const WELL = 12;

export interface Watched {
  /** Without retries, or failures would be hidden. */
  readonly s3: S3Client;
  /** How it writes. None: it only reads what is there. */
  readonly modes: readonly Mode[];
  /** Gets every object whose PUT was acknowledged. */
  readonly objects: ObjectSet;
  /** Of the names of what it writes. */
  readonly prefix: string;
}

export class ClientWatch {
  private readonly watched: Watched;
  private readonly attempts: Attempt[] = [];
  private readonly running = new Set<Promise<void>>();
  private readonly timer: NodeJS.Timeout;
  private round = 0;

  /** Starts at once: a PUT, and a GET of the same object, four times a second, in one mode after the other. */
  constructor(watched: Watched) {
    this.watched = watched;
    const start = (): void => {
      const running = this.attempt().finally(() => this.running.delete(running));
      this.running.add(running);
    };
    this.timer = setInterval(start, INTERVAL_MS);
  }

  get hasFailed(): boolean {
    return this.attempts.some(({ failure }) => failure !== undefined);
  }

  /** Waits until it has done its work once, in each mode. */
  async working(timeoutMs: number): Promise<void> {
    const rounds = Math.max(1, this.watched.modes.length);
    await waitFor({ what: 'the first requests to succeed', timeoutMs, intervalMs: 50 }, async () => {
      const last = this.attempts.slice(-rounds);
      const well = last.length === rounds && last.every(({ failure }) => failure === undefined);
      return Promise.resolve(well || new NotYet(last.at(-1)?.failure ?? 'no answers'));
    });
  }

  /**
   * Waits until requests succeed steadily.
   *
   * @param since what is counted from, of `performance.now()`
   * @returns seconds from then until the first of the requests that succeeded for good; 0 if none failed since
   */
  async wellAgain(since: number, timeoutMs: number): Promise<number> {
    return waitFor({ what: 'requests to succeed again', timeoutMs, intervalMs: 100 }, async () => {
      const begun = this.attempts.filter(({ startedAt }) => startedAt >= since);
      const lastFailure = begun.findLastIndex(({ failure }) => failure !== undefined);
      const after = begun.slice(lastFailure + 1);
      const [first] = after;
      if (first === undefined || after.length < WELL) {
        return Promise.resolve(new NotYet(this.attempts.findLast(({ failure }) => failure)?.failure ?? 'no answers'));
      }
      return Promise.resolve(lastFailure === -1 ? 0 : (first.endedAt - since) / 1000);
    });
  }

  /** Ends it, and says what the client saw. */
  async stop(): Promise<string> {
    clearInterval(this.timer);
    await Promise.all(this.running);
    this.watched.s3.destroy();
    const failed = this.attempts.filter(({ failure }) => failure !== undefined);
    const [first] = failed;
    if (first === undefined) return this.delays();
    const end = Math.max(...failed.map(({ endedAt }) => endedAt));
    const kinds = [...new Set(failed.map(({ failure }) => failure))].sort();
    return `${kinds.join('; ')}, for ${((end - first.startedAt) / 1000).toFixed(1)} s`;
  }

  /** What a client notices that gets all its answers. */
  private delays(): string {
    const slowest = Math.max(0, ...this.attempts.map(({ startedAt, endedAt }) => endedAt - startedAt));
    return slowest < SLOW_MS ? 'nothing' : `no failure; a PUT with its GET took up to ${(slowest / 1000).toFixed(1)} s`;
  }

  private async attempt(): Promise<void> {
    const round = this.round++;
    const startedAt = performance.now();
    try {
      await (this.watched.modes.length === 0 ? this.read(round) : this.write(round));
      this.note({ startedAt, endedAt: performance.now() });
    } catch (error) {
      this.note({ startedAt, endedAt: performance.now(), failure: describe(error) });
    }
  }

  private async read(round: number): Promise<void> {
    const { mode, key, sha256 } = this.watched.objects.pick(round);
    if ((await getObject(this.patient(), mode, key)) !== sha256) throw new Error('another content came back');
  }

  private async write(round: number): Promise<void> {
    const { modes, objects, prefix } = this.watched;
    const mode = modes[round % modes.length];
    if (mode === undefined) throw new Error('there are no modes');
    const client = this.patient();
    const object = await putObject(client, mode, `${prefix}/${round}`, randomBytes(1024));
    objects.add(mode, object);
    if ((await getObject(client, mode, object.key)) !== object.sha256) throw new Error('another content came back');
  }

  /** In the order in which they were begun: a slow failure must not look like a relapse. */
  private note(attempt: Attempt): void {
    const later = this.attempts.findIndex(({ startedAt }) => startedAt > attempt.startedAt);
    this.attempts.splice(later === -1 ? this.attempts.length : later, 0, attempt);
  }

  /** The same client, which waits for no answer longer than a person would. */
  private patient(): Pick<S3Client, 'send'> {
    const { s3 } = this.watched;
    return {
      send: ((command: Parameters<S3Client['send']>[0]) =>
        s3.send(command, { abortSignal: AbortSignal.timeout(PATIENCE_MS) })) as S3Client['send'],
    };
  }
}

function describe(error: unknown): string {
  const { name, code, message, $metadata } = error as Partial<S3ServiceException> & { readonly code?: string };
  if (name === 'AbortError') return `no answer within ${PATIENCE_MS / 1000} s`;
  const status = $metadata?.httpStatusCode;
  if (status !== undefined) return `${status} ${name}`;
  // the SDK wraps what the connection said, and leaves the code to the text
  return (
    code ??
    /\bE[A-Z]{4,}\b/.exec(message ?? '')?.[0] ??
    message?.replace(/^AWS SDK error wrapper for \w+: /, '') ??
    String(name)
  );
}
