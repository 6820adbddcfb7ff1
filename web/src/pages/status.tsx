import {t} from '../i18n';
import {PageHead} from '../ui/layout';

export default function Page() {
  return (
    <div class="page">
      <PageHead title={t('page.status')} />
    </div>
  );
}
