import { readFileSync } from 'node:fs';
import { CATALOGUE_FILE, cataloguePage } from '../../../../scripts/lib/pages/catalogue-page';

/** Where lines end is the formatter's, which the lint step asks. */
const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

test('the committed catalogue is what the checks say of themselves; else run: npm run catalogue', () => {
  expect(words(readFileSync(CATALOGUE_FILE, 'utf8'))).toEqual(words(cataloguePage()));
});
