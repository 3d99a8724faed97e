import { Controller, Get, Inject, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { pageOf, type PageParameters, Policy } from '#platform/edge';
import { ReadsIndex } from '#platform/audit-stream';
import { type ReviewFilter, ReviewUpgrades, type UpgradeReview } from '../review-upgrades.handler';

type Asked = PageParameters & Pick<ReviewFilter, 'from' | 'to'> & Partial<ReviewFilter>;

@Controller('kernel/review')
export class ReviewController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  @Get()
  @Policy('upgrade.read')
  @ReadsIndex()
  async review(
    @Query() { from, to, person = null, type = null, status = null, through = null, ...page }: Asked,
  ): Promise<UpgradeReview> {
    return this.queries.execute(
      new ReviewUpgrades({ from, to, person, type, status, through }, pageOf(page)),
    );
  }
}
