import { type Balance } from './division-queries';

/** Amounts have at most three decimal places. */
export function amountText(amount: number): string {
  return amount.toLocaleString('en', { maximumFractionDigits: 3 });
}

/** How much of a budget is allocated, 0 to 100; of no budget nothing is. */
export function shareOf({ budget, allocated }: Pick<Balance, 'budget' | 'allocated'>): number {
  if (budget <= 0) return 0;
  return Math.min(100, Math.max(0, (allocated / budget) * 100));
}

/** A balance in words. */
export function balanceText({ budget, allocated, available }: Balance): string {
  return `${amountText(allocated)} of ${amountText(budget)} allocated, ${amountText(available)} left`;
}

/** An amount as it was typed: above 0, at most three decimal places; null for anything else. */
export function amountOf(text: string): number | null {
  const asked = text.trim().replace(',', '.');
  if (!/^\d{1,13}(\.\d{1,3})?$/.test(asked)) return null;
  const amount = Number(asked);
  return amount > 0 && amount <= 1_000_000_000_000 ? amount : null;
}
