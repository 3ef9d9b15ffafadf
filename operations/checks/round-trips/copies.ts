/** Copies that the server makes: it opens an object in one mode and seals it in another. */
import { type Case, everyCase } from '../objects/cases';
import type { Evidence, OutsideCheck } from '../check';
import { everyMode, type Mode, sseC, SSE_S3, sseKmsDefault } from '../objects/modes';
import { answered, type Place, requestCopy } from '../objects/objects';
import { readBack, write, type Written } from './samples';

export const copyBetweenModes: OutsideCheck = {
  from: 'outside',
  id: 'copy-between-modes',
  title: 'Copies from every mode of encryption into every other are encrypted anew and read back',
  proves:
    'The server copies an object from each mode into each, also onto itself under another key and from a multipart ' +
    'object; every copy is recorded in the mode that was asked for, and read back byte for byte.',
  doesNotProve: 'That the old ciphertext is gone from the drive at once.',
  severity: 'medium',
  run: async (context) => {
    const modes = everyMode(context.expected);
    const sources = new Map<Mode, Promise<Written>>();
    const sourceOf = (mode: Mode): Promise<Written> => {
      const source = sources.get(mode) ?? write(context, `copy-between-modes/${mode.name}`, mode);
      sources.set(mode, source);
      return source;
    };
    const matrix = modes.flatMap((from) =>
      modes.map((to): Case => {
        const key = `copy-between-modes/${from.name} to ${to.name}`;
        return {
          name: `${from.name} to ${to.name}`,
          run: async () => copyAndRead(context, await sourceOf(from), key, to),
        };
      }),
    );
    return everyCase([...matrix, ...ontoItself(context), ofParts(context)]);
  },
};

/** Re-encryption in place, as it is done to move objects to another key. */
function ontoItself(context: Place): Case[] {
  const modes = everyMode(context.expected);
  // a client’s key may change as well
  const pairs = modes.map((from, index) => [from, modes[(index + 1) % modes.length] ?? SSE_S3] as const);
  return [...pairs, [sseC(), sseC()] as const].map(([from, to]) => ({
    name: `${from.name} onto itself as ${to.name}`,
    run: async () => {
      const key = `copy-between-modes/${from.name} onto itself as ${to.name}`;
      return copyAndRead(context, await write(context, key, from), key, to);
    },
  }));
}

function ofParts(context: Place): Case {
  return {
    name: 'a multipart object to SSE-S3',
    run: async () => {
      const source = await write(context, 'copy-between-modes/parts', sseKmsDefault(context.expected), 'multipart');
      return copyAndRead(context, source, 'copy-between-modes/of parts', SSE_S3);
    },
  };
}

async function copyAndRead(place: Place, source: Written, key: string, mode: Mode): Promise<Evidence> {
  const request = requestCopy(place, { key: source.key, access: source.mode.access }, key, {
    ...mode.headers,
    // S3 takes a copy of an object onto itself only if something changes
    MetadataDirective: 'REPLACE',
  });
  // MinIO does not say here how the copy is encrypted
  await answered(place.expected, 'the copy', request);
  return readBack(place, { ...source, key, mode });
}
