import type { LoadedEnvironment } from '../state/load';
import type { Step } from '../lib/step';
import { takeTurn } from './turn';

/** Before anything that other machines must know of is changed: with state in S3 this folder is the one that counts from now on. */
export function turnStep(loaded: LoadedEnvironment): Step {
  return {
    title: 'State folder is current',
    applies: () => loaded.environment.state.backend === 's3',
    run: () => takeTurn(loaded),
  };
}
