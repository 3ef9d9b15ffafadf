import type { LoadedEnvironment } from '../../config/load';
import { requireUsableTls } from '../../operations/preflight/certificates';
import type { Step } from '../../operations/toolchain/step';

/** Files from elsewhere are looked at before anything is built or touched. */
export function certificatesStep(loaded: LoadedEnvironment): Step[] {
  const { tls, trustedCAs } = loaded.environment;
  if (tls.mode === 'self-signed' && trustedCAs.length === 0) return [];
  return [{ title: 'Certificates', run: () => requireUsableTls(loaded) }];
}
