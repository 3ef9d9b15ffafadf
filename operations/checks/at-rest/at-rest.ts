/** What is on the drive is encrypted. */
import type { FullCheck } from '../check';
import { ciphertextOnDisk } from './ciphertext';
import { configurationOnDisk } from './configuration';
import { objectsEncrypted } from './objects-encrypted';

/** In the order in which they are reported. */
export const atRestChecks: readonly FullCheck[] = [ciphertextOnDisk, configurationOnDisk, objectsEncrypted];
