/** An age for people, in one unit. */
export function ageOf(seconds: number): string {
  const hours = seconds / 3600;
  if (hours < 1) return 'less than an hour';
  return hours < 48 ? `${Math.floor(hours)} h` : `${Math.floor(hours / 24)} days`;
}
