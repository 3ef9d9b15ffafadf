/** What a run looks at where there is more than fits into it. Another run looks at others. */

/** Buckets whose settings one run reads: each costs up to five requests. */
export const MOST_BUCKETS = 50;

/** Some of `items`, by chance. Each has the same one. All of them where there are no more than `most`. */
export function sampleOf<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  const rest = [...items];
  return Array.from({ length: most }).flatMap(() => rest.splice(Math.floor(Math.random() * rest.length), 1));
}
