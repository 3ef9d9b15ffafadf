import { durationToMs, isDuration } from '../../config/duration';

describe('isDuration', () => {
  test.each(['0s', '90s', '5m', '1h30m', '500ms', '1h0m10s'])('accepts %s', (text) => {
    expect(isDuration(text)).toBe(true);
  });

  test.each(['', '5', 's', '1d', '-1s', '+1s', '1.5h', '1 h', '1H', 'soon', '1h '])('refuses %j', (text) => {
    expect(isDuration(text)).toBe(false);
  });
});

describe('durationToMs', () => {
  test.each([
    ['0s', 0],
    ['500ms', 500],
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1m1s1ms', 61_001],
  ])('%s is %i milliseconds', (text, milliseconds) => {
    expect(durationToMs(text)).toBe(milliseconds);
  });

  test('refuses what is not a duration', () => {
    expect(() => durationToMs('1d')).toThrow(
      new RangeError('duration must be a duration such as 30s, 5m or 1h30m, got: 1d'),
    );
  });
});
