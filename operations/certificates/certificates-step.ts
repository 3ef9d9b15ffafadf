import type { LoadedEnvironment } from '../state/load';
import { requireUsableTls } from './certificates-preflight';
import type { Step } from '../lib/step';

/** Files from elsewhere are looked at before anything is built or touched. */
export function certificatesStep(loaded: LoadedEnvironment): Step[] {
  const { tls, trustedCAs } = loaded.environment;
  if (tls.mode === 'self-signed' && trustedCAs.length === 0) return [];
  return [{ title: 'Certificates', run: () => requireUsableTls(loaded) }];
}
