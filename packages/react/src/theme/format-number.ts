/** Of as many languages as a page is in. To make one costs more than to use it. */
const formats = new Map<string | undefined, Intl.NumberFormat>();

/**
 * A whole number as it is written in a language.
 *
 * @param locale - BCP 47; undefined: the browser's language
 */
export function formatNumber(value: number, locale: string | undefined): string {
  let format = formats.get(locale);
  if (format === undefined) formats.set(locale, (format = new Intl.NumberFormat(locale)));
  return format.format(value);
}
