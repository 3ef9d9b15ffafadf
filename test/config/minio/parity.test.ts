import { drivesToSpare, parityOf } from '../../../config/minio/parity';

// as MinIO has it: internal/config/storageclass/storage-class_test.go
test.each([
  [1, 0, 0],
  [4, 2, 1],
  [5, 2, 2],
  [6, 3, 2],
  [7, 3, 3],
  [8, 4, 3],
  [16, 4, 4],
])('of %i drives %i may be lost, and %i may be away while MinIO writes', (drives, lost, away) => {
  expect(parityOf({ drives })).toBe(lost);
  expect(drivesToSpare({ drives })).toBe(away);
  expect(parityOf({ drives: Array.from({ length: drives }, (_, index) => `/mnt/${index}`) })).toBe(lost);
});

test('a declared parity counts, and never lets half of the drives write', () => {
  expect(parityOf({ drives: 8, parity: 2 })).toBe(2);
  expect(drivesToSpare({ drives: 8, parity: 2 })).toBe(2);
  expect(drivesToSpare({ drives: 16, parity: 8 })).toBe(7);
});
