declare module 'outline:land' {
  const text: string;
  export default text;
}
