/** Says of what is not a setting what it may have been meant for. */
import { z } from 'zod';
import { environmentSchema } from './environment-schema';
import { nearest } from './spelling';

const jsonSchema = z.object({
  const: z.union([z.string(), z.number(), z.boolean()]).optional(),
  get properties() {
    return z.record(z.string(), jsonSchema).optional();
  },
  get items() {
    return jsonSchema.optional();
  },
  get oneOf() {
    return z.array(jsonSchema).optional();
  },
  get anyOf() {
    return z.array(jsonSchema).optional();
  },
});
type JsonSchema = z.infer<typeof jsonSchema>;

/**
 * @param path of the map of settings in which it stands
 * @param written that map
 */
export function unknownSetting(path: readonly PropertyKey[], key: string, written: unknown): string {
  const variants = variantsAt(path);
  const others = variants.filter((variant) => Object.hasOwn(variant.properties ?? {}, key));
  const conditions = others.flatMap((variant) => conditionsOf(variant));
  if (conditions.length > 0) return `is a setting only with ${conditions.join(' or ')}. Remove it, or write that.`;
  const present = variants.filter((variant) => fits(variant, written));
  const meant = nearest(
    key,
    (present.length > 0 ? present : variants).flatMap(({ properties = {} }) => Object.keys(properties)),
  );
  if (meant !== undefined) return `is not a setting. Did you mean ${meant}?`;
  return 'is not a setting. Remove it, or correct its spelling.';
}

/** What the schema allows there: several where it depends on a setting. */
function variantsAt(path: readonly PropertyKey[]): JsonSchema[] {
  let found = variantsOf(jsonSchema.parse(z.toJSONSchema(environmentSchema, { io: 'input' })));
  for (const part of path) {
    found = found.flatMap(({ properties, items }) => {
      const next = typeof part === 'number' ? items : properties?.[String(part)];
      return next === undefined ? [] : variantsOf(next);
    });
  }
  return found;
}

function variantsOf(schema: JsonSchema): JsonSchema[] {
  return (schema.oneOf ?? schema.anyOf)?.flatMap(variantsOf) ?? [schema];
}

/** The settings on which a variant depends, as one writes them. */
function conditionsOf({ properties = {} }: JsonSchema): string[] {
  return Object.entries(properties).flatMap(([name, { const: value }]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
}

function fits({ properties = {} }: JsonSchema, written: unknown): boolean {
  const settings = (written ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(properties).every(
    ([name, { const: value }]) => value === undefined || settings[name] === value,
  );
}
