// Questions before something is done. What cannot be undone asks for the thing's name and a reason.
import {signal} from '@preact/signals';
import type {ComponentChildren} from 'preact';
import {useEffect, useRef, useState} from 'preact/hooks';
import {t} from '../i18n';
import {noteProblem} from '../lib/session';
import {Icon} from './icons';
import {Problem} from './panel';

export interface Question {
  title: string;
  text?: ComponentChildren;
  /** What the button says: "Purge", not "OK". */
  verb: string;
  isDangerous?: boolean;
  /** Has to be typed. */
  name?: string;
  /** Asks why; the answer is in the audit log. */
  asksReason?: boolean;
  /** Further fields, by name. */
  fields?: readonly Field[];
  /** Does it while the dialog is open, and shows what goes wrong there. */
  run(answer: Answers): Promise<unknown>;
}
export interface Field {
  name: string;
  label: string;
  type?: 'text' | 'number' | 'select' | 'textarea' | 'datetime-local' | 'password';
  value?: string;
  options?: readonly (readonly [string, string])[];
  isOptional?: boolean;
  hint?: string;
}
export type Answers = Record<string, string> & {reason?: string};

const asked = signal<{question: Question; settle(isDone: boolean): void} | undefined>(undefined);

/** Asks, and does it when confirmed. True when it was done. */
export function ask(question: Question): Promise<boolean> {
  return new Promise((settle) => (asked.value = {question, settle}));
}

export function Dialogs() {
  const one = asked.value;
  return one ? <Ask key={one.question.title} question={one.question} settle={one.settle} /> : null;
}

function Ask({question, settle}: {question: Question; settle(isDone: boolean): void}) {
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const close = (isDone: boolean) => {
    asked.value = undefined;
    settle(isDone);
  };
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (isBusy) return;
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const answers = Object.fromEntries([...data].map(([name, value]) => [name, String(value)])) as Answers;
    setBusy(true);
    setProblem(undefined);
    try {
      await question.run(answers);
      close(true);
    } catch (failure) {
      noteProblem(failure);
      setProblem(failure);
      setBusy(false);
    }
  };
  const isNamed = question.name === undefined || typed === question.name;
  return (
    <Modal title={question.title} onClose={() => close(false)}>
      <form onSubmit={(event) => void submit(event)} method="dialog">
        {question.text && <div class="dialog-text">{question.text}</div>}
        {question.fields?.map((field) => <DialogField key={field.name} field={field} />)}
        {question.name !== undefined && (
          <label class="field">
            <span>
              {t('dialog.type_name')} <code>{question.name}</code>
            </span>
            <input name="confirm" autocomplete="off" spellcheck={false} value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
          </label>
        )}
        {question.asksReason && <DialogField field={{name: 'reason', label: t('dialog.reason')}} />}
        {problem !== undefined && <Problem of={problem} />}
        <div class="dialog-buttons">
          <button type="button" onClick={() => close(false)}>
            {t('action.cancel')}
          </button>
          <button type="submit" class={question.isDangerous ? 'danger' : 'primary'} disabled={!isNamed || isBusy}>
            {question.verb}
          </button>
        </div>
      </form>
    </Modal>
  );
}

function DialogField({field}: {field: Field}) {
  const common = {name: field.name, required: !field.isOptional, id: `field-${field.name}`};
  return (
    <div class="field">
      <label for={common.id}>{field.label}</label>
      {field.type === 'select' ? (
        <select {...common} defaultValue={field.value}>
          {field.options?.map(([value, text]) => (
            <option key={value} value={value} selected={value === field.value}>
              {text}
            </option>
          ))}
        </select>
      ) : field.type === 'textarea' ? (
        <textarea {...common} rows={5} defaultValue={field.value} spellcheck={false} />
      ) : (
        <input {...common} {...({type: field.type ?? 'text'} as object)} defaultValue={field.value} autocomplete="off" maxLength={500} />
      )}
      {field.hint && <small>{field.hint}</small>}
    </div>
  );
}

/** A window over the page, closed by Escape. */
export function Modal({title, onClose, children, className}: {title: string; onClose(): void; children: ComponentChildren; className?: string}) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={className}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === element.current) onClose();
      }}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2>{title}</h2>
          <button type="button" class="plain icon-only" aria-label={t('action.close')} onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
