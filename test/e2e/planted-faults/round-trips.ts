import type { PlantedFault } from './planted-fault';

export const roundTripFaults: readonly PlantedFault[] = [
  {
    name: 'MinIO runs without auto-encryption',
    red: {
      'auto-encryption': {
        message: /says encryption none, expected aws:kms$/,
        fix: /MINIO_KMS_AUTO_ENCRYPTION/,
      },
    },
    alsoRed: {
      'ciphertext-on-disk': 'what auto-encryption did not encrypt is plain on the drive',
      'minio-configuration': 'MinIO runs with another variable than the declared one',
    },
    plant: async (bench) => bench.runMinioWith({ MINIO_KMS_AUTO_ENCRYPTION: 'off' }),
  },
];
