import { judgeDrives } from '../../../operations/checks/drive-space';
import { rejectionOf } from '../../helpers/thrown';

const drive = (freeBytes: number) => ({ path: '/data', totalBytes: 1_000_000_000_000, freeBytes });

test.each([
  [200_000_000_001, { used: '79 %', free: '200.0 GB' }],
  [200_000_000_000, { used: '80 %', free: '200.0 GB', note: 'it fills up: make room in time' }],
  [100_000_000_001, { used: '89 %', free: '100.0 GB', note: 'it fills up: make room in time' }],
])('with %i bytes free of 1 TB a drive passes', (freeBytes, evidence) => {
  expect(judgeDrives([drive(freeBytes)])).toEqual({ '/data': evidence });
});

test('a drive that is nine tenths full fails, and is named with what is left', async () => {
  const failure = await rejectionOf(Promise.resolve().then(() => judgeDrives([drive(99_000_000_000)])));
  expect(failure.message).toBe('drive /data is 90 % full: 99.0 GB are left');
  expect(failure).toMatchObject({ fix: expect.stringContaining('make room on the disk') as string });
});
