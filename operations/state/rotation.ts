/**
 * A rotation that is under way: which phases are done, so that an interrupted one goes on where it was, and a log of
 * what was ever rotated. Nothing secret is in either.
 *
 * A phase counts as done only after it returned, so each must bear to be begun twice. What happened is in the log before
 * it counts: a kill between the two may leave a line twice, and never none.
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { StateLayout } from '../../config/state/layout';
import { ExternalError, messageOf, UsageError } from '../lib/errors';
import { readIfExists, writeFileAtomically } from '../lib/files';
import type { Step } from '../lib/step';

/** A step of a rotation. Its id is in notes and logs, so it stays. */
export interface Phase extends Step {
  readonly id: string;
}

const note = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  /** What is rotated, as it is given on the command line. */
  what: z.string(),
  startedAt: z.iso.datetime(),
  done: z.array(z.string()),
  /** What later phases need to know. Never a secret. */
  memory: z.record(z.string(), z.string()),
});
type Note = z.infer<typeof note>;

type Places = Pick<StateLayout, 'rotation' | 'rotationsLog'>;

export class Rotation {
  readonly resumed: boolean;
  private readonly places: Places;
  private note: Note;

  /**
   * Begins a rotation, or takes up the one that was interrupted.
   *
   * @param what with everything by which it differs from another, such as `master-key old new`
   * @param argument how a command names the environment
   * @throws UsageError if another one has not ended yet
   */
  static begin(places: Places, what: string, argument: string): Rotation {
    const unfinished = readNote(places.rotation);
    if (unfinished !== undefined && unfinished.what !== what) {
      throw new UsageError(
        `a rotation of ${unfinished.what}, begun on ${unfinished.startedAt}, has not ended`,
        `end it first: ./scripts/rotate ${unfinished.what} ${argument}`,
      );
    }
    return new Rotation(places, what, unfinished);
  }

  /** What has not ended yet, as {@link Rotation.begin} was told; undefined if everything has. */
  static unfinished(places: Places): string | undefined {
    return readNote(places.rotation)?.what;
  }

  private constructor(places: Places, what: string, unfinished: Note | undefined) {
    this.places = places;
    this.resumed = unfinished !== undefined;
    this.note = unfinished ?? {
      version: 1,
      id: randomUUID(),
      what,
      startedAt: new Date().toISOString(),
      done: [],
      memory: {},
    };
    this.log({ outcome: this.resumed ? 'resumed' : 'begun' });
    this.save();
  }

  get startedAt(): Date {
    return new Date(this.note.startedAt);
  }

  remembered(name: string): string | undefined {
    return this.note.memory[name];
  }

  /** Kept for later phases, also after an interruption. Never a secret. */
  remember(name: string, value: string): void {
    this.note = { ...this.note, memory: { ...this.note.memory, [name]: value } };
    this.save();
  }

  /** The steps that an earlier run has not done. The outcome of each is in the log. */
  steps(phases: readonly Phase[]): Step[] {
    return phases.map(({ id, title, applies, run }) => ({
      title,
      applies: () => !this.note.done.includes(id) && (applies?.() ?? true),
      run: async (context) => {
        let remark: string | undefined;
        try {
          remark = await run(context);
        } catch (error) {
          this.log({ phase: id, outcome: 'failed', detail: messageOf(error).split('\n')[0] });
          throw error;
        }
        this.log({ phase: id, outcome: 'done', detail: remark });
        this.note = { ...this.note, done: [...this.note.done, id] };
        this.save();
        return remark;
      },
    }));
  }

  /** Forgets a rotation that failed before it had changed anything, so that another one can begin. */
  abandonUnlessBegun(): void {
    if (this.note.done.length > 0 || Object.keys(this.note.memory).length > 0) return;
    this.log({ outcome: 'abandoned' });
    rmSync(this.places.rotation, { force: true });
  }

  /** Everything is done: nothing is left to take up. */
  end(): void {
    this.log({ outcome: 'ended' });
    rmSync(this.places.rotation, { force: true });
  }

  private save(): void {
    writeFileAtomically(this.places.rotation, `${JSON.stringify(this.note, null, 2)}\n`);
  }

  private log(entry: {
    readonly phase?: string;
    readonly outcome: string;
    readonly detail?: string | undefined;
  }): void {
    const [program = '', ...args] = process.argv.slice(1);
    const line = {
      at: new Date().toISOString(),
      id: this.note.id,
      what: this.note.what,
      ...entry,
      command: [path.basename(program, '.ts'), ...args].join(' '),
    };
    appendFileSync(this.places.rotationsLog, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  }
}

function readNote(file: string): Note | undefined {
  const text = readIfExists(file);
  if (text === undefined) return undefined;
  try {
    return note.parse(JSON.parse(text));
  } catch {
    throw new ExternalError(
      `${file} does not say which rotation is under way`,
      'rotations.log beside it does; correct the note, or remove it to start again',
    );
  }
}
