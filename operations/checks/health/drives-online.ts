import type { ServiceCheck } from '../check';
export const driveChecks: readonly ServiceCheck[] = [];
