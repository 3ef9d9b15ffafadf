import { existsSync } from 'node:fs';
import { z } from 'zod';
import { readIfExists, writeFileAtomically } from '../lib/files';

const renewalNote = z.object({ generation: z.number().int(), renewAfter: z.iso.datetime() });

/** For a note that names no time. */
export const NEVER = new Date('9999-01-01T00:00:00Z');

/**
 * Notes when an operation must run again. The plan reads the note, see `renewalGeneration` in
 * constructs/expressions.ts; the generation counts up only when the operation ran because something was due or missing,
 * as the plan expected.
 *
 * @param now for tests
 * @param more what else the note says
 * @param expected whether the plan expected another generation. Default: whether it was due
 */
export function noteRenewal(
  file: string,
  renewAfter: Date,
  now = new Date(),
  more: Readonly<Record<string, string>> = {},
  expected = isDue(file, now),
): void {
  const last = readNote(file);
  const generation = last === undefined ? 1 : last.generation + (expected ? 1 : 0);
  const note = { generation, renewAfter: renewAfter.toISOString(), ...more };
  writeFileAtomically(file, `${JSON.stringify(note)}\n`, 0o644);
}

/**
 * Whether the time that the note of an operation names has come, or one of the files that it makes is missing: why a
 * plan has it run.
 */
export function isDue(file: string, now = new Date(), makes: readonly string[] = []): boolean {
  const last = readNote(file);
  return last !== undefined && (now >= new Date(last.renewAfter) || !makes.every((made) => existsSync(made)));
}

/** The time that a note names, in ms; undefined without a note. */
export function renewalTime(file: string): number | undefined {
  const last = readNote(file);
  return last && Date.parse(last.renewAfter);
}

function readNote(file: string): z.infer<typeof renewalNote> | undefined {
  const text = readIfExists(file);
  return text === undefined ? undefined : renewalNote.parse(JSON.parse(text));
}
