/** Edits of an environment file that leave its comments and its order alone. */
import { isMap, parseDocument } from 'yaml';
import { parseEnvironment } from '../../config/load';

/** Wide enough that no line is wrapped that was not. */
const AS_WRITTEN = { lineWidth: 0 } as const;

/**
 * Puts another master key wherever MinIO uses one by itself, and declares further keys.
 *
 * @param keys what `minio.keys` says afterwards
 * @throws UsageError if it is no environment file
 */
export function editKeys(
  text: string,
  label: string,
  { from, to, keys }: { readonly from: string; readonly to: string; readonly keys: readonly string[] },
): string {
  const document = parseDocument(text);
  const { minio, buckets } = parseEnvironment(text, label);
  if (minio.defaultKey === from) document.setIn(['minio', 'defaultKey'], to);
  buckets.forEach(({ encryption }, index) => {
    const key = ['buckets', index, 'encryption', 'key'];
    if (encryption.type === 'sse-kms' && encryption.key === from && document.hasIn(key)) document.setIn(key, to);
  });
  if (keys.length > 0) {
    document.setIn(['minio', 'keys'], document.createNode(keys));
  } else if (document.hasIn(['minio', 'keys'])) {
    document.deleteIn(['minio', 'keys']);
    const left = document.get('minio');
    if (isMap(left) && left.items.length === 0) document.delete('minio');
  }
  return document.toString(AS_WRITTEN);
}
