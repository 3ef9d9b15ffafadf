/** How what is there differs from what was declared. */

/**
 * Each difference of two flat records in a few words.
 *
 * @param secret names whose values are not said
 */
export function differences(
  declared: Readonly<Record<string, unknown>>,
  actual: Readonly<Record<string, unknown>>,
  secret: (name: string) => boolean = () => false,
): string[] {
  return [...new Set([...Object.keys(declared), ...Object.keys(actual)])].flatMap((name) => {
    const [wanted, got] = [textOf(declared[name]), textOf(actual[name])];
    if (wanted === got) return [];
    if (got === undefined) return [`${name} is missing`];
    if (wanted === undefined) return [`${name} is not declared`];
    return [secret(name) ? `${name} is another one` : `${name} is ${got}, declared ${wanted}`];
  });
}

/** A value with everything inside it under one name each: `a.b` for fields, `a[item]` for items of a list. */
export function flat(value: unknown, name = ''): Record<string, unknown> {
  if (Array.isArray(value)) return Object.fromEntries(value.map((item) => [`${name}[${String(item)}]`, true]));
  if (typeof value !== 'object' || value === null) return { [name]: value };
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, inner]) => flat(inner, name === '' ? key : `${name}.${key}`)),
  ) as Record<string, unknown>;
}

/** A few of many, for a message of one line. */
export function someOf(problems: readonly string[]): string {
  const more = problems.length - 3;
  return `${problems.slice(0, 3).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

function textOf(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value);
}
