/**
 * Does something with each item, with a few at a time, in their order. After an error nothing new is begun; what was begun
 * is waited for.
 *
 * @throws the first error
 */
export async function atATime<T>(
  count: number,
  items: readonly T[],
  action: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const work = async (): Promise<void> => {
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await action(next);
    } catch (error) {
      waiting.length = 0;
      throw error;
    }
  };
  const workers = Array.from({ length: count }, work);
  await Promise.allSettled(workers);
  await Promise.all(workers);
}
