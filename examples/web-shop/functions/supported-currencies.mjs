/** The currencies in which the shop shows its prices; currency knows their rates. */
export default () => ['USD', 'EUR', 'CAD', 'GBP', 'CHF'];
