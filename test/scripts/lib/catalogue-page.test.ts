import { readFileSync } from 'node:fs';
import { CATALOGUE_FILE, cataloguePage } from '../../../scripts/lib/catalogue-page';

test('the committed catalogue is what the checks say of themselves; else run: npm run catalogue', () => {
  expect(readFileSync(CATALOGUE_FILE, 'utf8')).toBe(cataloguePage());
});
