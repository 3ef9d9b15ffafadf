import type { LoadedEnvironment } from '../../../operations/state/load';
import { requireUsableTls } from '../../../operations/certificates/certificates-preflight';
import type { Step } from '../../../operations/lib/step';

/** Files from elsewhere are looked at before anything is built or touched. */
export function certificatesStep(loaded: LoadedEnvironment): Step[] {
  const { tls, trustedCAs } = loaded.environment;
  if (tls.mode === 'self-signed' && trustedCAs.length === 0) return [];
  return [{ title: 'Certificates', run: () => requireUsableTls(loaded) }];
}
