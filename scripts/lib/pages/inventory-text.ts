import { type Inventory, keysIn, usesOf } from '../../../operations/keys/inventory';

/** What is under which master key. */
export function inventoryText(inventory: Inventory): string {
  return keysIn(inventory)
    .flatMap((key) => [
      `${key}: ${usesOf(inventory, key) ?? 'nothing'}`,
      ...inventory.buckets.flatMap(({ bucket, sseS3, sseKms }) => {
        const counts = [[sseS3[key] ?? 0, 'SSE-S3'] as const, [sseKms[key] ?? 0, 'SSE-KMS'] as const];
        const found = counts.filter(([count]) => count > 0).map(([count, mode]) => `${count} by ${mode}`);
        return found.length === 0 ? [] : [`  ${bucket}: ${found.join(', ')}`];
      }),
      ...(inventory.own[key] ?? []).map((path) => `  .minio.sys/${path}`),
    ])
    .map((line) => `${line}\n`)
    .join('');
}
