/** A bounded load of PUTs and GETs that goes on while something else is done, and remembers every failure. */
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../../../operations/lib/errors';
import { NotYet, waitFor } from '../../../../operations/lib/wait';

export interface LoadTarget {
  /** Without retries, or failures would be hidden. */
  readonly s3: Pick<S3Client, 'send'>;
  /**
   * A request that is refused is sent again, with the pauses of minio-go (retry.go), which is in mc and restic: up to
   * 200 ms, then twice as long each time, up to 1 s. It fails when it was not answered for {@link patienceMs}.
   *
   * @default - it is sent once
   */
  readonly patient?: boolean;
  /** @default {@link PATIENCE_MS} */
  readonly patienceMs?: number;
  readonly buckets: readonly string[];
  /** Objects are below it. Two loads of one bucket need two. @default load */
  readonly prefix?: string;
  /** Told of every PUT that was acknowledged. @default - nobody is */
  readonly acknowledged?: (object: { readonly bucket: string; readonly key: string; readonly sha256: string }) => void;
  /** @default 8 - pairs of a PUT and a GET */
  readonly perSecond?: number;
}

export interface LoadResult {
  readonly requests: number;
  /** Requests that were answered only when they were sent again. */
  readonly retried: number;
  /** When, which request, and what the client was told. */
  readonly failures: readonly string[];
  /** Longest time of one request, in milliseconds. */
  readonly slowestMs: number;
  /** From the beginning of the first request that failed, was sent again or took over a second, to the end of the last. */
  readonly troubledMs: number;
  /** The longest time in which no request was answered. */
  readonly silentMs: number;
  /** The longest time of those that were under way at {@link SteadyLoad.mark}, which the two above do not count. */
  readonly underWayMs: number;
}

/** A request that takes longer was troubled. */
const SLOW_MS = 1000;
/** MinIO was seen to take 3 s to start, and 9 s on a machine that gave half its time to others. */
const PATIENCE_MS = 30_000;
const OBJECT_BYTES = 4 * 1024;
/** Objects are written over, so that a long load fills no disk, and none before its GET is long over. */
const NAMES = 500;

export class SteadyLoad {
  private readonly target: LoadTarget;
  private readonly timer: NodeJS.Timeout;
  private readonly running = new Set<Promise<void>>();
  private readonly failures: string[] = [];
  private requests = 0;
  private retried = 0;
  private slowestMs = 0;
  private answeredAt = performance.now();
  private silentMs = 0;
  private troubled: { readonly from: number; readonly to: number } | undefined;
  private round = 0;
  private markedAt: number | undefined;
  private underWayMs = 0;

  /** Starts at once. */
  constructor(target: LoadTarget) {
    this.target = target;
    this.timer = setInterval(
      () => {
        const pair = this.putAndGet(this.round++).finally(() => this.running.delete(pair));
        this.running.add(pair);
      },
      1000 / (target.perSecond ?? 8),
    );
  }

  /** Waits until this many requests more have been answered. */
  async answered(more: number): Promise<void> {
    const until = this.requests + more;
    await waitFor({ what: `${more} requests to be answered`, timeoutMs: 180_000 }, () =>
      Promise.resolve(this.requests >= until ? true : new NotYet(`${this.requests} of ${until}`)),
    );
  }

  /** Tells what is under way now from what begins later: for a fault that only the former can be locked by. */
  mark(): void {
    this.markedAt = performance.now();
  }

  /** Stops, after everything that was begun has been answered. */
  async stop(): Promise<LoadResult> {
    clearInterval(this.timer);
    await Promise.all(this.running);
    const { requests, retried, failures, troubled, silentMs, underWayMs } = this;
    const troubledMs = troubled === undefined ? 0 : Math.round(troubled.to - troubled.from);
    return {
      requests,
      retried,
      failures,
      slowestMs: Math.round(this.slowestMs),
      troubledMs,
      silentMs: Math.round(silentMs),
      underWayMs: Math.round(underWayMs),
    };
  }

  private async putAndGet(round: number): Promise<void> {
    const { s3, buckets, prefix = 'load' } = this.target;
    const Bucket = buckets[round % buckets.length] ?? '';
    const Key = `${prefix}/${round % NAMES}`;
    const body = randomBytes(OBJECT_BYTES);
    const written = await this.timed(`PUT ${Bucket}/${Key}`, () =>
      s3.send(new PutObjectCommand({ Bucket, Key, Body: body })),
    );
    if (written === undefined) return;
    this.target.acknowledged?.({ bucket: Bucket, key: Key, sha256: sha256(body) });
    await this.timed(`GET ${Bucket}/${Key}`, async () => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      const read = (await Body?.transformToByteArray()) ?? new Uint8Array();
      if (sha256(read) !== sha256(body)) throw new Error('another content came back');
      return read;
    });
  }

  private async timed<T>(what: string, request: () => Promise<T>): Promise<T | undefined> {
    const started = performance.now();
    const { retried, failures } = { retried: this.retried, failures: this.failures.length };
    try {
      return await this.persistently(request);
    } catch (error) {
      this.failures.push(`${new Date().toISOString()} ${what}: ${messageOf(error)}`);
      return undefined;
    } finally {
      const ended = performance.now();
      this.requests += 1;
      if (this.markedAt !== undefined && started < this.markedAt) {
        this.underWayMs = Math.max(this.underWayMs, ended - started);
      } else {
        this.notice(started, ended, this.retried > retried || this.failures.length > failures);
      }
    }
  }

  private notice(started: number, ended: number, failedOnce: boolean): void {
    this.slowestMs = Math.max(this.slowestMs, ended - started);
    if (ended - started > SLOW_MS || failedOnce) {
      this.troubled = { from: Math.min(started, this.troubled?.from ?? started), to: ended };
    }
  }

  private async persistently<T>(request: () => Promise<T>): Promise<T> {
    const started = performance.now();
    for (let sent = 1; ; sent++) {
      try {
        const answer = await request();
        if (sent > 1) this.retried += 1;
        this.silentMs = Math.max(this.silentMs, performance.now() - this.answeredAt);
        this.answeredAt = performance.now();
        return answer;
      } catch (error) {
        if (this.target.patient !== true || performance.now() - started > (this.target.patienceMs ?? PATIENCE_MS))
          throw error;
        await delay(Math.random() * Math.min(200 * 2 ** (sent - 1), 1000));
      }
    }
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
