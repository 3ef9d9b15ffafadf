import { judgeDrives } from '../../../../operations/checks/health/drive-space';
import { rejectionOf } from '../../../helpers/thrown';

const drive = (freeBytes: number) => ({ path: '/data', totalBytes: 1_000_000_000_000, freeBytes });

test.each([
  [150_000_000_001, { used: '84 %', free: '150.0 GB' }],
  [150_000_000_000, { used: '85 %', free: '150.0 GB', note: 'it fills up: make room in time' }],
  [30_000_000_001, { used: '96 %', free: '30.0 GB', note: 'it fills up: make room in time' }],
])('with %i bytes free of 1 TB a drive passes', (freeBytes, evidence) => {
  expect(judgeDrives([drive(freeBytes)])).toEqual({ '/data': evidence });
});

test.each([
  ['nearly full', 29_000_000_000, 'drive /data is 97 % full: 29.0 GB are left'],
  ['full', 0, 'drive /data is 100 % full: 0.0 GB are left'],
])('a drive that is %s fails, and is named with what is left', async (_, freeBytes, message) => {
  const failure = await rejectionOf(Promise.resolve().then(() => judgeDrives([drive(freeBytes)])));
  expect(failure.message).toBe(message);
  expect(failure).toMatchObject({ fix: expect.stringContaining('make room on the disk') as string });
});

test('a drive that says nothing of its size is left to drives-online, and the others are judged', async () => {
  const away = { path: '/drives/2', totalBytes: 0, freeBytes: 0 };
  expect(judgeDrives([drive(500_000_000_000), away])).toEqual({
    '/data': { used: '50 %', free: '500.0 GB' },
    '/drives/2': { note: 'MinIO does not reach it: see drives-online' },
  });
  const failure = await rejectionOf(Promise.resolve().then(() => judgeDrives([drive(0), away])));
  expect(failure.message).toBe('drive /data is 100 % full: 0.0 GB are left');
});
